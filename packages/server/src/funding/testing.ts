/** For tests: metering's bench with funding on top, and apps that run as a node would run them. */
import { isRefusal, newId, type Micros } from '@perennial/protocol'
import { accountOf } from '../metering/index.ts'
import { withBench, type Bench, type BenchOptions } from '../metering/testing.ts'
import { openFunding, type Contribution, type Funding } from './index.ts'

export interface FundedBench extends Bench {
  funding: Funding
  /** As anyone would: a payment with an id of its own that must be taken. */
  give(app: string, amount: Micros, name?: string): Promise<Contribution>
  state(app: string): Promise<string>
  history(app: string): Promise<string[]>
}

export async function withFunding(
  work: (bench: FundedBench) => Promise<void>,
  options: BenchOptions = {},
): Promise<void> {
  await withBench(async (bench) => {
    const { ledger, accounts, apps, metering } = bench
    const priceBook = bench.priceBook
    const crash = options.crash
    const open = () =>
      openFunding(bench.services, { ledger, accounts, apps, metering, priceBook, ...(crash && { crash }) })
    const funded: FundedBench = Object.assign(bench, {
      funding: await open(),
      async give(app: string, amount: Micros, name?: string) {
        const id = newId({ nowMs: bench.clock.now().getTime() })
        const receipt = await funded.funding.contribute({ id, app, amount, ...(name !== undefined && { name }) })
        if (isRefusal(receipt)) throw new Error(receipt.sentence)
        return receipt
      },
      state: async (app: string) => (await apps.find(app))!.state,
      history: async (app: string) =>
        (await apps.history(app)).map(
          ({ at, state, sentence }) => `${at.toISOString().slice(0, 16)} ${state}: ${sentence}`,
        ),
    })
    await work(funded)
  }, options)
}

export interface Host {
  running(): boolean
  /** Does what the app's state asks for. */
  look(): Promise<void>
  stop(): Promise<void>
}

/** A host for one sandbox an app: starts it when there is money, stops it when metering says so. */
export async function host(bench: FundedBench, app: string): Promise<Host> {
  const instances = new Set<string>()
  let count = 0
  const stop = async (): Promise<void> => {
    for (const instance of instances) {
      await bench.metering.detach(instance)
      bench.world.remove(instance)
      instances.delete(instance)
    }
    await bench.metering.settle(app)
  }
  bench.world.onExhausted = async (id, sentence) => {
    await bench.funding.exhausted(id, sentence)
    await stop()
  }
  const look = async (): Promise<void> => {
    await bench.funding.follow()
    const state = await bench.state(app)
    if (state === 'frozen' || state === 'archived') return instances.size > 0 ? stop() : undefined
    if (instances.size > 0) return
    const instance = `${app}-${count++}`
    if (await bench.metering.attach({ app, instance, payer: accountOf.purse(app) })) return
    bench.world.start(instance)
    instances.add(instance)
  }
  await look()
  return { running: () => instances.size > 0, look, stop }
}
