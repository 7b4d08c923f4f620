/** The process that reads registries' documents (reader.ts starts it): one job, one answer, until the node is gone. */
import { read, type Job } from './reading.ts'

process.on('disconnect', () => process.exit())
process.on('message', (job: Job) => {
  process.send?.({ read: read(job), rssBytes: process.memoryUsage.rss() })
})
