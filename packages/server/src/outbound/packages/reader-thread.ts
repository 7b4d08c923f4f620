/** The thread that reads registries' documents (reader.ts starts it): one job, one answer. */
import assert from 'node:assert/strict'
import { parentPort } from 'node:worker_threads'
import { read, type Job } from './reading.ts'

assert(parentPort, 'this file is a thread of the node')
const port = parentPort
port.on('message', (job: Job) => port.postMessage(read(job)))
