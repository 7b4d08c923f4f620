/** Tables of an app's page: who paid, what was built, what became of it. */
import { formatAmount, formatDecimals } from '@perennial/protocol'
import { bytes, commit, costDecimals, day, hash } from '../format.ts'
import { html, type Html } from '../html.ts'
import type { App } from '../views.ts'

export function contributionsTable(contributions: App['contributions']): Html {
  if (contributions.length === 0)
    return html`<p class="soft" id="contributions">No payments yet. The first one starts outgoing network.</p>`
  return html`<table id="contributions">
    <thead>
      <tr>
        <th scope="col">Day</th>
        <th scope="col" class="r">Amount</th>
        <th scope="col">From</th>
      </tr>
    </thead>
    <tbody>
      ${contributions.map(
        ({ at, amount, name }) =>
          html`<tr>
            <td class="soft nowrap"><time datetime="${at.toISOString()}">${day(at)}</time></td>
            <td class="r in">${formatAmount(amount)}</td>
            <td class="any">${name ?? 'anonymous'}</td>
          </tr>`,
      )}
    </tbody>
  </table>`
}

export function releasesTable(releases: App['releases']): Html {
  if (releases.length === 0) return html`<p class="soft">No release yet. A build that succeeds makes one.</p>`
  const decimals = costDecimals(releases.map(({ cost }) => cost))
  return html`<table>
    <thead>
      <tr>
        <th scope="col">No.</th>
        <th scope="col">Commit</th>
        <th scope="col" class="wide">Digest</th>
        <th scope="col" class="r wide">Size</th>
        <th scope="col" class="r">Cost</th>
      </tr>
    </thead>
    <tbody>
      ${releases.map(
        (release) =>
          html`<tr>
            <td><b>${release.number}</b></td>
            <td>
              <code>${commit(release.commit)}</code
              ><small>${day(release.builtAt)}${release.removedAt === null ? '' : ', image removed'}</small>
            </td>
            <td class="wide"><code title="sha256:${release.sha256}">${hash(release.sha256)}</code></td>
            <td class="r wide">${bytes(release.sizeBytes)}</td>
            <td class="r">${formatDecimals(release.cost, decimals)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`
}

export function changesTable(app: App): Html {
  if (app.changes.length === 0) return html`<p class="soft" id="changes">Nothing has happened to it yet.</p>`
  return html`<table id="changes">
    <thead>
      <tr>
        <th scope="col">Day</th>
        <th scope="col">State</th>
        <th scope="col">Why</th>
      </tr>
    </thead>
    <tbody>
      ${app.changes
        .toReversed()
        .slice(0, 12)
        .map(
          (change) =>
            html`<tr>
              <td class="nowrap">${day(change.at)}</td>
              <td>${change.state}</td>
              <td>${change.sentence}</td>
            </tr>`,
        )}
    </tbody>
  </table>`
}
