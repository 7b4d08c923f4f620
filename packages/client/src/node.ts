/** What a client in Node has besides: a key in a file, and a way to apps on `*.localhost`. */
export { dial } from './dial.ts'
export { KeyFileUnsafe, loadKey } from './key-file.ts'
