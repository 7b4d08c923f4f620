/** A registry answered with something that is not what was asked for. */
export class MalformedDocument extends Error {
  override readonly name: string = 'MalformedDocument'
}

/** It may be one, and nobody may be made to find out again soon. */
export class TooCostly extends MalformedDocument {
  override readonly name: string = 'TooCostly'
}

/** Stands for the door's own origin in stored documents: its port changes with each start. */
export const ORIGIN = 'http://door.invalid'
