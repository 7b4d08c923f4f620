/** repository: what people read of the code behind an app. */
import * as z from 'zod'
import { method } from '../method.ts'
import { app } from '../wire.ts'

const get = method({
  service: 'repository',
  name: 'get',
  summary: 'README, licence and signature of the commit that was fetched last.',
  input: z.strictObject({ app }),
  output: z.object({
    /** Null: nothing was fetched yet. */
    about: z
      .object({
        commit: z.string(),
        readme: z
          .object({
            name: z.string(),
            /** Sanitised: no scripts, no images, nothing that loads; links to the web alone. */
            html: z.string(),
            /** There is more of it in the repository. */
            cut: z.boolean(),
          })
          .nullable(),
        licence: z
          .object({
            /** SPDX identifier; null: none that is recognised. */
            spdx: z.string().nullable(),
            file: z.string(),
          })
          .nullable(),
        /** Whether the commit is signed and by which key, in a sentence. */
        signature: z.string(),
      })
      .nullable(),
  }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { app: 'hello--octo' },
})

export const repository = { get }
