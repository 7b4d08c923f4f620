/** The code form of spec/: no I/O, for Node and browsers. */
export { allocate, WHOLE, type Share } from './allocate.ts'
export {
  concat,
  equalBytes,
  fromBase64,
  fromBase64Url,
  fromHex,
  toBase64,
  toBase64Url,
  toHex,
  utf8,
  type Bytes,
} from './bytes.ts'
export {
  recordTopic,
  recordWord,
  RECORD_TOPICS,
  transferCode,
  transferWord,
  TRANSFER_CODES,
  type RecordWord,
  type TransferWord,
} from './codes.ts'
export {
  entryBytes,
  entryLeafData,
  KINDS,
  leafHash,
  MEMBERS,
  recordLeafData,
  type Entry,
  type Kind,
  type LedgerRecord,
  type Publicity,
} from './entry.ts'
export { deriveId, newId, UUID } from './id.ts'
export { Malformed } from './malformed.ts'
export { METER_UNITS, METERS, type Meter, type Usage } from './meters.ts'
export {
  method,
  pathOf,
  readInput,
  readOutput,
  readQuery,
  writeInput,
  writeOutput,
  type DefaultPolicy,
  type Handler,
  type InputOf,
  type Method,
  type OutputOf,
  type Read,
} from './method.ts'
export { allMethods, findMethod, hasService, methods } from './methods/index.ts'
export {
  amountText,
  exactParts,
  formatAmount,
  formatDecimals,
  formatExact,
  MAX_MICROS,
  parseAmount,
  parseMicros,
  UNIT,
  type Micros,
} from './micros.ts'
export {
  costCeiling,
  formatPriceBook,
  HOUR_MS,
  maxBurnPerHour,
  parsePriceBook,
  type Limits,
  type PriceBook,
} from './price-book.ts'
export { DEFAULT_PRICE_BOOK } from './price-book.default.ts'
export {
  HTTP_STATUS,
  isRefusal,
  isRefusalStatus,
  isRetryable,
  problemOf,
  PROBLEM_TYPE,
  refusalOf,
  refuse,
  type OcStatus,
  type Problem,
  type Refusal,
  type RefusalStatus,
} from './problem.ts'
export { rate, rateCeiling, type Price, type Rated } from './rate.ts'
export { sha256 } from './sha256.ts'
export { canonicalBytes, canonicalText, type Json } from './canonical.ts'
export { contentDigest, digestMatches } from './digest.ts'
export { didOf, isDid, keyFromSeed, newSeed, publicKeyOf, verifySignature, type Key } from './keys.ts'
export {
  COMMONS_PERCENT,
  costOf,
  LOW_DAYS,
  mayBuild,
  MIN_PAYMENT,
  permitted,
  RESERVE_DAYS,
  reserveTarget,
  runwayOf,
  splitPayment,
  stateOf,
  THRIFTY_DAYS,
  timeFor,
  type Parts,
  type Permitted,
  type Runway,
  type Spending,
  type State,
} from './lifecycle.ts'
export {
  checkToken,
  formatNonce,
  issueToken,
  NonceWindow,
  parseNonce,
  TOKEN_LIFE_SECONDS,
  tokenExpiry,
  type Mac,
  type Nonce,
  type TokenCheck,
  type TokenFor,
} from './nonce.ts'
export { inputSchema, openApi, type ApiInfo, type InputSchema } from './openapi.ts'
export {
  formatReceipt,
  parseReceipt,
  receiptHash,
  signReceipt,
  verifyReceipt,
  type Receipt,
  type SignedReceipt,
} from './receipt.ts'
export { RESPONSE_TAG, signResponse, verifyResponse, type Answer, type ResponseCheck } from './response-signature.ts'
export {
  readSignature,
  REQUEST_TAG,
  signRequest,
  verifyRequest,
  type RequestCheck,
  type RequestToSign,
} from './signatures.ts'
export { type RequestHead, type ResponseHead } from './signature-base.ts'
