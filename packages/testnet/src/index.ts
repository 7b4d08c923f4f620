/** Whole nodes for tests: real processes, started as people start them. */
export { freePort } from './free-port.ts'
export { gitRemote, type Files, type GitRemote } from './git-remote.ts'
export { openTestNode, type Program, type TestNode, type TestNodeOptions } from './node.ts'
export { allProcesses, familyOf, kill9, type Process } from './processes.ts'
export { until } from './until.ts'
