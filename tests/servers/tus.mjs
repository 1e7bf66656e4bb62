// The tus project's own server: node tus.mjs FOLDER PORT MAX_BYTES. Its packages are searched for from SERVERS on.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [folder, port, maxBytes] = process.argv.slice(2)
const from = createRequire(pathToFileURL(`${process.env.SERVERS}/`))
const { Server } = await import(pathToFileURL(from.resolve('@tus/server')))
const { FileStore } = await import(pathToFileURL(from.resolve('@tus/file-store')))
const datastore = new FileStore({ directory: folder, expirationPeriodInMilliseconds: 3_600_000 })
new Server({ path: '/files', datastore, maxSize: Number(maxBytes) }).listen({ host: '127.0.0.1', port: Number(port) })
