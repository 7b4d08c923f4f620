/** Every method of the catalogue with its handler; a declaration without one is found by a test. */
import type { Implementation } from '../call.ts'
import type { House } from '../house.ts'
import { appConfigMethods } from './app-config.ts'
import { appDataMethods } from './app-data.ts'
import { appMethods } from './apps.ts'
import { fundingMethods } from './funding.ts'
import { ledgerMethods } from './ledger.ts'
import { nodeMethods } from './node.ts'
import { processMethods } from './processes.ts'
import { repositoryMethods } from './repository.ts'

export const handlers: readonly Implementation<House>[] = [
  ...appMethods,
  ...appConfigMethods,
  ...appDataMethods,
  ...fundingMethods,
  ...ledgerMethods,
  ...nodeMethods,
  ...processMethods,
  ...repositoryMethods,
]
