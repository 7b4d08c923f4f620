/** An app's state as shape, word and colour; any one of the three is enough. */
import type { AppState, AppSummary } from '../views.ts'
import { html, type Html } from '../html.ts'
import { stateShape } from './shapes.ts'

/** The class that carries a state's colours. */
export function tone(state: AppState): string {
  return state === 'funded' ? 'running' : state
}

/** `funded` is how the money stands; when it also runs, that is the word people look for. */
export function stateWord({ state, activity }: Pick<AppSummary, 'state' | 'activity'>): string {
  return state === 'funded' && (activity === 'awake' || activity === 'asleep') ? 'running' : state
}

export function statePill(app: Pick<AppSummary, 'state' | 'activity'>, since?: string): Html {
  return html`<span class="pill ${tone(app.state)}"
    >${stateShape(app.state)}${stateWord(app)}${since ? ` since ${since}` : null}</span
  >`
}

const ACTIVITIES: Readonly<Record<AppSummary['activity'], string>> = {
  none: 'Not running: it has no release yet.',
  starting: 'Starting.',
  awake: 'Awake.',
  asleep: 'Asleep; a request wakes it.',
  stopped: 'Stopped by its admin; its data and its money stay.',
  failing: 'It does not start; the log says why.',
}

/** What it is doing just now, which money does not decide. */
export function activitySentence(app: Pick<AppSummary, 'state' | 'activity'>): string {
  if (app.state === 'frozen' || app.state === 'archived')
    return 'Not running: its purse is empty. Any payment starts it again.'
  return ACTIVITIES[app.activity]
}
