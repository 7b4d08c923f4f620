/**
 * What an app and its builds print. Strangers wrote every character of it, so it is text and nothing else: control
 * characters are shown as signs, never obeyed, and no line can turn the direction of what stands around it.
 */
import { visible } from '../../apps/index.ts'
import { day, exactTime } from '../format.ts'
import { html, when, type Html } from '../html.ts'
import type { LogLine } from '../views.ts'

const MAX_SHOWN = 2000

/** Newest first. Takes focus, so that it scrolls by keys. */
export function log({ lines, label, empty }: { lines: readonly LogLine[]; label: string; empty: string }): Html {
  return html`<div class="log" tabindex="0" role="region" aria-label="${label}">
    <ol id="log">
      ${lines.toReversed().map(logLine)}
    </ol>
    ${when(lines.length === 0, () => html`<p class="soft" id="log-empty">${empty}</p>`)}
  </div>`
}

export function logLine(line: LogLine): Html {
  const { at, source, text } = line
  return html`<li${when(toneOf(line), (tone) => html` class="${tone}"`)}><time datetime="${at.toISOString()}" title="${day(at)}">${exactTime(at)}</time><span class="source">${source}</span><span class="text">${shown(text)}</span></li>`
}

/** Where a live page goes on: behind the last line that it already shows. */
export function lastSeq(lines: readonly LogLine[]): string {
  const last = lines.at(-1)
  return last ? `?after=${last.seq}` : ''
}

/** A line is long where a screen ends, some times over; the whole of it is what `apps.logs` answers. */
function shown(text: string): string {
  return visible(
    text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}… and ${text.length - MAX_SHOWN} characters more` : text,
  ).toWellFormed()
}

/** What a program prints is plain, unless it says itself that something is wrong. */
function toneOf({ level, text }: LogLine): string | null {
  if (level === 'ok' || level === 'warn') return level
  return /^\W{0,3}(?:npm )?(?:warn|error|fatal)/i.test(text) ? 'warn' : null
}
