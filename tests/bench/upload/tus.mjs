// tus-js-client with its best: eight files at once, the first bytes with the creation, and a store of URLs from which a restart goes on.
// node tus.mjs URL FOLDER STATE, with SERVERS as the folder of node_modules.
import { createReadStream, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [endpoint, folder, state] = process.argv.slice(2)
const { FileUrlStorage, Upload } = createRequire(join(process.env.SERVERS, 'package.json'))('tus-js-client')
const waiting = readdirSync(folder)
let failed = false

const send = (name) =>
    new Promise((ended) => {
        const path = join(folder, name)
        const upload = new Upload(createReadStream(path), {
            endpoint,
            // One each: many writers are too much for the lock of one.
            urlStorage: new FileUrlStorage(join(state, `${name}.json`)),
            fingerprint: () => Promise.resolve(path),
            uploadSize: statSync(path).size,
            uploadDataDuringCreation: true,
            retryDelays: Array(20).fill(200),
            metadata: { filename: name },
            onError: () => {
                failed = true
                ended()
            },
            onSuccess: ended,
        })
        upload.findPreviousUploads().then(([previous]) => {
            if (previous) upload.resumeFromPreviousUpload(previous)
            upload.start()
        })
    })

const work = async () => {
    for (let name = waiting.pop(); name; name = waiting.pop()) await send(name)
}
await Promise.all(Array.from({ length: 8 }, work))
process.exit(failed ? 1 : 0)
