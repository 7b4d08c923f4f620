/** Loaded into each test process of a long run: every property test draws from the seed that the run printed. */
import fc from 'fast-check'

const seed = Number(process.env['TEST_SEED'])
if (Number.isInteger(seed)) fc.configureGlobal({ seed })
