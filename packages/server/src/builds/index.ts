/** Commit → release: deployments, their builds in the sandbox, and the releases they make. */
export { openBuilds, type Builds, type BuildsDeps, type DeployRequest } from './builds.ts'
export type { Deployment, DeploymentStatus, DeploymentStep, Release, StepName, StepStatus } from './deployment.ts'
