/** A registry answered with something that is not what was asked for. */
export class MalformedDocument extends Error {
  override readonly name = 'MalformedDocument'
}

/** Stands for the door's own origin in stored documents: its port changes with each start. */
export const ORIGIN = 'http://door.invalid'
