/** The record of an app, its public history and its public log. */
export { openApps, type App, type Apps, type Change, type Origin } from './apps.ts'
export { appLimits } from './limits.ts'
export {
  LONGEST_LINE_BYTES,
  openLogs,
  RING_LINES,
  type LineText,
  type LogLevel,
  type LogLine,
  type Logs,
  type LogSource,
  type LogTail,
} from './logs.ts'
export { visible } from './visible.ts'
