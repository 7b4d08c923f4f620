/** Until when the money lasts, as a person would say it. */

interface Runway {
  readonly earliest: Date | null
  readonly latest: Date | null
  readonly estimate: boolean
}

export function runwayWords({ earliest, latest, estimate }: Runway): string {
  if (!earliest) return 'no end: it costs nothing'
  const [from, to] = [day(earliest), latest ? day(latest) : 'no end']
  return `${from === to ? from : `${from} to ${to}`}${estimate ? ' (estimate)' : ''}`
}

function day(moment: Date): string {
  return moment.toISOString().slice(0, 10)
}
