/** The catalogue: every method of a node, by service and name. */
import type { Method } from '../method.ts'
import { apps } from './apps.ts'
import { funding } from './funding.ts'
import { ledger } from './ledger.ts'
import { node } from './node.ts'
import { processes } from './processes.ts'
import { repository } from './repository.ts'

export const methods = { apps, funding, ledger, node, processes, repository }

export const allMethods: readonly Method[] = Object.values(methods).flatMap((service) => Object.values<Method>(service))

const byPath = new Map(allMethods.map((declared) => [`${declared.service}/${declared.name}`, declared]))
const services = new Set(allMethods.map(({ service }) => service))

export function findMethod(service: string, name: string): Method | undefined {
  return byPath.get(`${service}/${name}`)
}

export function hasService(service: string): boolean {
  return services.has(service)
}
