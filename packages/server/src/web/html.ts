/**
 * Markup as a value: `html` escapes whatever it is given unless that is markup already. Characters that hide text, turn
 * its direction or command a terminal are shown as signs, wherever a text comes from.
 *
 * Pages are synchronous functions of data, so a promise inside a template is a bug and is caught here. Every
 * attribute value stands in double quotes: the escape rule is only safe there, and a test reads the templates for it.
 */
import assert from 'node:assert/strict'
import { html as template, raw as unescaped } from 'hono/html'
import type { HtmlEscapedString } from 'hono/utils/html'
import { visible } from '../apps/index.ts'

export type Html = HtmlEscapedString
/** What a template takes: text is escaped, markup is not, nothing is nothing. */
export type Content = Html | string | number | bigint | false | null | undefined | readonly Content[]

export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  const made = template(strings, ...values.map(shown))
  assert(!(made instanceof Promise), 'a page waits for its data before it is rendered')
  return made
}

function shown(value: Content): Content {
  if (typeof value === 'string') return visible(value).toWellFormed()
  return Array.isArray(value) ? value.map((one: Content) => shown(one)) : value
}

/** `${when(x, (x) => html`…`)}`: markup only where there is something to say. */
export function when<T>(value: T | null | undefined | false, show: (value: T) => Content): Content {
  return value === null || value === undefined || value === false ? null : show(value)
}

/** Markup that was made to be safe where it was made, a README's. */
export function raw(markup: string): Html {
  return unescaped(markup.split('\n').map(visible).join('\n')) as Html
}
