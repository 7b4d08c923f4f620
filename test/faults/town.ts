/** The apps of a run and what its people know of them: which commits there are, which are said to run. */
import type { GitRemote, TestNode } from '@perennial/testnet'
import type { Kind } from './sample-app.ts'

export interface TownApp {
  readonly name: string
  readonly kind: Kind
  readonly url: string
  readonly id: string
  readonly slug: string
  /** Commits by hash; the first is number 1. */
  readonly commits: Map<string, number>
  /** The newest commit that the node said runs. */
  running: number
  /** Its admin stopped it for a while. */
  paused: boolean
  /** What the node was told last is not what the admin wants: it was killed before it heard, or before it answered. */
  untold: boolean
}

export interface Deployment {
  readonly id: string
  readonly app: TownApp
  /** Running, failed or replaced, as far as anybody asked. */
  ended: boolean
}

export interface Town {
  readonly node: TestNode
  readonly remote: GitRemote
  readonly apps: TownApp[]
  readonly deployments: Deployment[]
  /** Sentences: answers that no commit of the app has, or that an older commit gave than was said to run. */
  readonly halfMade: string[]
  /** Sentences: deployments that the node gave up. */
  readonly failed: string[]
  /** How often which status was answered to visitors; 0: none, the connection ended. */
  readonly statuses: Map<number, number>
}
