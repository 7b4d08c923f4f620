/** As `Promise.all`, but nothing is still being made when it says that something failed: all of it is taken away then. */
export async function allDone<T extends readonly Promise<unknown>[]>(
  parts: readonly [...T],
): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(parts)
  return Promise.all(parts)
}
