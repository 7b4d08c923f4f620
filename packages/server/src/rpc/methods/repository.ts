/** repository: what people read of the code behind an app. */
import { isRefusal, methods } from '@perennial/protocol'
import { aboutOf } from '../../apps/index.ts'
import { implement, type Implementation } from '../call.ts'
import type { House } from '../house.ts'
import { findApp } from './find.ts'

const get = implement(methods.repository.get, async ({ input }, house: House) => {
  const app = await findApp(input.app, house)
  return isRefusal(app) ? app : { about: await aboutOf(house.database, app.id) }
})

export const repositoryMethods: readonly Implementation<House>[] = [get]
