/** Quote: the most that this call can cost its caller. Most cost nothing; what an app uses is paid by its purse. */
import { costCeiling } from '@perennial/protocol'
import type { Station } from '../passage.ts'

export const quote: Station = async (passage, { priceBook }) => {
  const { ceiling } = passage.implementation
  if (ceiling && !passage.repeated) passage.quote = costCeiling(priceBook, ceiling(passage.input))
  return null
}
