/** What can go wrong on the way to a node and back. A refusal is no error: `call` returns it as a value. */

/** Nobody answered: not running, wrong address, no network. */
export class NodeUnreachable extends Error {
  override readonly name = 'NodeUnreachable'
  readonly code = 'node-unreachable'
}

/** Something answered, but not the node, or not to this request: nothing in it can be believed. */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer'
  readonly code = 'bad-answer'
}
