/** The record of an app, its public history and its public log. */
export { openApps, type App, type Apps, type Change, type Origin } from './apps.ts'
export { openConfig, type AppConfig, type NewSetting, type Setting } from './config.ts'
export { aboutOf, storeAbout } from './queries/about.ts'
export { appLimits } from './limits.ts'
export { openLogs, type LineText, type LogLevel, type LogLine, type Logs } from './logs.ts'
export { visible } from './visible.ts'
