/** The books of an account: as a page, and whole as CSV and JSON for whoever wants to add them up. */
import { methods, type InputOf } from '@perennial/protocol'
import { must, visit, type Router, type Site, type Visit } from './visit.ts'
import { statementPage } from './pages/statement.ts'
import type { Row } from './views.ts'

const ACCOUNT = '/ledger/:account{[a-z][A-Za-z0-9:/._-]{0,199}}' as const
/** One download; who wants more asks `ledger.statement` from where this ended. */
const MAX_ROWS = 50_000
const PAGE_ROWS = 999

export function statementRoutes(router: Router, site: Site): void {
  router.get(ACCOUNT, (c) =>
    visit(site, c.env, async (v) => {
      const [, account = '', format] = /^(.*?)(?:\.(csv|json))?$/.exec(c.req.param('account')) ?? []
      if (format === 'csv') return download(v, account, { type: 'text/csv; charset=utf-8', format, write: csv })
      if (format === 'json') return download(v, account, { type: 'application/json', format, write: json })
      const before = v.url.searchParams.get('before')
      const from = before !== null && /^\d{1,18}$/.test(before) ? BigInt(before) : null
      return v.page(statementPage(await site.data.statement(account, from, v.visitor.caller), v.frame))
    }),
  )
}

interface Format {
  readonly type: string
  readonly format: string
  readonly write: (rows: readonly Row[]) => string
}

/** Oldest first, from the account's first row. */
async function download({ site, visitor }: Visit, account: string, { type, format, write }: Format): Promise<Response> {
  const rows: Row[] = []
  let after: bigint | null = 0n
  while (after !== null && rows.length < MAX_ROWS) {
    const input: InputOf<typeof methods.ledger.statement> = { account, after, limit: PAGE_ROWS }
    const answer = must(await site.rpc.call(methods.ledger.statement, input, visitor.caller))
    rows.push(...answer.rows)
    after = answer.next
  }
  return new Response(write(rows), {
    headers: {
      'content-type': type,
      'content-disposition': `attachment; filename="${account.replaceAll(/[^a-z0-9-]+/gi, '-')}.${format}"`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'",
    },
  })
}

const COLUMNS = ['seq', 'at', 'kind', 'code', 'debit', 'credit', 'micros', 'balance', 'id', 'leaf'] as const

/** Every value is a number, a word of ours or hex: none needs quotes, and none can be a formula. */
function csv(rows: readonly Row[]): string {
  return [COLUMNS, ...rows.map((row) => Object.values(plain(row)))].map((line) => `${line.join(',')}\r\n`).join('')
}

function json(rows: readonly Row[]): string {
  return JSON.stringify({ rows: rows.map(plain) }, null, 1)
}

function plain(row: Row): Record<(typeof COLUMNS)[number], string> {
  return {
    seq: row.seq.toString(),
    at: row.at.toISOString(),
    kind: row.kind,
    code: row.code,
    debit: row.debit,
    credit: row.credit,
    micros: row.amount.toString(),
    balance: row.balance.toString(),
    id: row.id,
    leaf: row.leaf,
  }
}
