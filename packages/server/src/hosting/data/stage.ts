/** What backups and restores need of whoever runs an app's processes; node.ts says who that is. */
export interface Stage {
  /** While all sandboxes of the app's processes stand still, and nothing else is done to them. */
  still<T>(app: string, work: () => Promise<T>): Promise<T>
  /** While none of them is there. Afterwards the app runs as it should. */
  cleared<T>(app: string, reason: string, work: () => Promise<T>): Promise<T>
}

/** That of a hosting that is opened later, as it needs the data first. */
export function stageOf(later: () => { readonly stage: Stage } | undefined): Stage {
  const stage = () => {
    const hosting = later()
    if (!hosting) throw new Error('the node is still starting')
    return hosting.stage
  }
  return {
    still: (app, work) => stage().still(app, work),
    cleared: (app, reason, work) => stage().cleared(app, reason, work),
  }
}
