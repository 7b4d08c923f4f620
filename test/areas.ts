/** The areas of a long run and what each does: test files at a scale, or a program of its own. */

export interface Step {
  readonly name: string
  /** Words that choose test files, as for `npm test -- <words>`. */
  readonly files?: readonly string[]
  /** Multiplies the counts of property tests and rounds. */
  readonly scale?: number
  /** A program of ours and its words; SEED stands for the run's seed. */
  readonly program?: readonly [string, ...string[]]
}

export const AREAS: Readonly<Record<string, readonly Step[]>> = {
  ledger: [
    { name: 'postings, holds and chains keep every micro', files: ['packages/ledger/'], scale: 30 },
    { name: 'the ledger against its peers', program: ['bench/run.ts', 'ledger'] },
  ],
  money: [
    { name: 'arithmetic and formats', files: ['packages/protocol/'], scale: 100 },
    { name: 'usage to charges, payments to parts', files: ['server/src/metering/', 'server/src/funding/'], scale: 20 },
  ],
  sandbox: [{ name: 'limits, readings, network, restarts', files: ['packages/sandbox/'], scale: 5 }],
  gateway: [
    { name: 'routes, counters, the freezing race', files: ['server/src/gateway/', 'server/src/hosting/'], scale: 10 },
    { name: 'the gateway and wake against their peers', program: ['bench/run.ts', 'gateway', 'wake'] },
  ],
  parsers: [{ name: 'every parser of outside bytes', files: ['outbound/', 'source/', 'rpc/', 'client/'], scale: 100 }],
  hostile: [{ name: 'each attack and its control', files: ['test/hostile/'], scale: 3 }],
  apps: [{ name: 'other people’s apps from git to revival, pages in a browser', files: ['test/e2e/'], scale: 1 }],
  faults: [{ name: '100 kills', program: ['test/faults/run.ts', '--kills', '100', '--seed', 'SEED'] }],
  bootstrap: [{ name: 'machine, cluster, supervision', files: ['test/bootstrap/', 'packages/cli/'], scale: 3 }],
}
