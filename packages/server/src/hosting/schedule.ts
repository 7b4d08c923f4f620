/** When a schedule is due next: five fields as `source` writes them, numbers alone, in UTC (crontab(5)). */

const MINUTE_MS = 60_000
/** A day that comes once in four years is found; one that never comes is not looked for any longer. */
const FURTHEST_DAYS = 366 * 8
const DAY_MS = 86_400_000

/** The first minute after `after`; null: there is none. */
export function nextDue(schedule: string, after: Date): Date | null {
  const [minutes, hours, days, months, weekdays] = schedule.split(' ').map((field, at) => valuesOf(field, at))
  if (!minutes || !hours || !days || !months || !weekdays) return null
  // As cron has it: of day and weekday either does, unless one of them is every.
  const [, , dayField = '*', , weekdayField = '*'] = schedule.split(' ')
  const either = !dayField.startsWith('*') && !weekdayField.startsWith('*')
  const firstMs = (Math.floor(after.getTime() / MINUTE_MS) + 1) * MINUTE_MS
  const today = Math.floor(firstMs / DAY_MS)
  for (let day = today; day < today + FURTHEST_DAYS; day++) {
    const at = new Date(day * DAY_MS)
    const byDay = days.has(at.getUTCDate())
    const byWeekday = weekdays.has(at.getUTCDay()) || (at.getUTCDay() === 0 && weekdays.has(7))
    if (!months.has(at.getUTCMonth() + 1) || !(either ? byDay || byWeekday : byDay && byWeekday)) continue
    for (const hour of hours)
      for (const minute of minutes) {
        const dueMs = day * DAY_MS + (hour * 60 + minute) * MINUTE_MS
        if (dueMs >= firstMs) return new Date(dueMs)
      }
  }
  return null
}

const RANGES = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
] as const

/** In ascending order. */
function valuesOf(field: string, at: number): ReadonlySet<number> {
  const [from, to] = RANGES[at] ?? [0, -1]
  const found = field.split(',').flatMap((part) => {
    const [range = '*', step = '1'] = part.split('/')
    const [first = from, last = range.includes('-') || range === '*' ? to : first] =
      range === '*' ? [from, to] : range.split('-').map(Number)
    const values: number[] = []
    for (let value = first; value <= last; value += Number(step)) values.push(value)
    return values
  })
  return new Set(found.toSorted((a, b) => a - b))
}
