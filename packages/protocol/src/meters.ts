/** What is measured: the names, in the order in which pages stack them, and the unit each is counted in. */

export const METERS = ['cpu', 'memory', 'disk', 'egress', 'requests', 'build'] as const

export type Meter = (typeof METERS)[number]

/** Memory and disk are areas: bytes held times milliseconds held. Builds are paid by the CPU they burn. */
export const METER_UNITS: Readonly<Record<Meter, string>> = {
  cpu: 'cpu-nanosecond',
  memory: 'byte-millisecond',
  disk: 'byte-millisecond',
  egress: 'byte',
  requests: 'request',
  build: 'cpu-nanosecond',
}

/** Usage of some meters over some interval, in the units above; what is absent is zero. */
export type Usage = Partial<Readonly<Record<Meter, bigint>>>
