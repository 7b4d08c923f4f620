/**
 * A stranger's text as people may see it: what would move a cursor, hide text or turn its direction is written
 * out (\x1b, \u202e) instead of acting: pictures of control characters are in few fonts. Logs keep what was printed; this is for pages and terminals.
 */
const TAB = 0x09
const DELETE = 0x7f
/** C0 and C1 controls, and the marks that reorder or hide text. */
// oxlint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g
/** Colours, which most programs print: dropped without a trace, as they say nothing. */
// oxlint-disable-next-line no-control-regex
const COLOUR = /\u001b\[[0-9;]{0,32}m/g

export function visible(text: string): string {
  return text
    .replace(COLOUR, '')
    .replace(/\r$/, '')
    .replace(UNSEEN, (sign) => {
      const code = sign.charCodeAt(0)
      if (code === TAB) return sign
      if (code <= DELETE) return `\\x${code.toString(16).padStart(2, '0')}`
      return `\\u${code.toString(16).padStart(4, '0')}`
    })
}
