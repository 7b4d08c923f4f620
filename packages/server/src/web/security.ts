/**
 * What every page tells the browser it may do: nothing that the page does not need.
 *
 * No inline script or style, nothing loaded from elsewhere, no frame, and text becomes markup only through the one
 * Trusted Types policy of live.js.
 */
const OWN = [
  "default-src 'none'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self'",
  "script-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types perennial',
].join('; ')

const SHARED = {
  'x-content-type-options': 'nosniff',
  // Not `no-referrer`: then a browser sends `Origin: null` with our own forms.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
}

/** For pages at the node's own address. They hold a form token, so nobody keeps them. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  ...SHARED,
  'content-security-policy': OWN,
  'content-type': 'text/html; charset=utf-8',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

/** For pages at an app's address: no script at all; sheet, fonts and the form's target are the node's. */
export function restingHeaders(node: string): Readonly<Record<string, string>> {
  return {
    ...SHARED,
    'content-security-policy': `default-src 'none'; style-src ${node}; font-src ${node}; img-src ${node}; form-action ${node}; base-uri 'none'; frame-ancestors 'none'`,
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
  }
}

/** Files are named by their hash and the same for everyone: kept for a year, and loadable from apps' addresses. */
export const ASSET_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'public, max-age=31536000, immutable',
  'access-control-allow-origin': '*',
  'cross-origin-resource-policy': 'cross-origin',
}
