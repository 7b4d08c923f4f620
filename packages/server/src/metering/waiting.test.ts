import assert from 'node:assert/strict'
import test from 'node:test'
import { newId } from '@perennial/protocol'
import type { Transaction } from '../database.ts'
import { insertUsage } from './queries/usage.ts'
import { PROVIDER, withBench } from './testing.ts'

test('charges of two apps and changes of their states, in whatever order, do not wait for each other', () =>
  withBench(async (bench) => {
    const { database } = bench.services
    const [one, other] = [(await bench.app()).id, (await bench.app()).id]
    const charge = (tx: Transaction, app: string) =>
      insertUsage(tx, [
        {
          id: newId(),
          app,
          payer: 'x',
          provider: PROVIDER,
          cause: 'run',
          startedAt: new Date(),
          endedAt: new Date(),
          lines: [],
          charged: 0n,
          uncharged: 0n,
          holds: [],
        },
      ])
    const change = (tx: Transaction, app: string) => bench.apps.setState(tx, app, 'funded', 'paid')
    const charged = Promise.withResolvers<void>()
    const changed = Promise.withResolvers<void>()
    await Promise.all([
      database.transaction(async (tx) => {
        await charge(tx, one)
        charged.resolve()
        await changed.promise
        await charge(tx, other)
      }),
      database.transaction(async (tx) => {
        await charged.promise
        await change(tx, other)
        changed.resolve()
        await change(tx, one)
      }),
    ])
    for (const id of [one, other]) assert.equal((await bench.apps.find(id))?.state, 'funded')
  }))
