// The way of Immich's uploads through the parser that Immich uses (multer): the form is judged and hashed while it comes.
// node immich.mjs PORT, with SERVERS as the folder of node_modules.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(join(process.env.SERVERS, 'package.json'))
const multer = require('multer')

const assets = new Map()
const storage = {
    _handleFile(request, file, done) {
        const hash = createHash('sha1')
        let size = 0
        file.stream.on('data', (chunk) => {
            hash.update(chunk)
            size += chunk.length
        })
        file.stream.on('error', done)
        file.stream.on('end', () => done(null, { checksum: hash.digest('hex'), size }))
    },
    _removeFile: (request, file, done) => done(null),
}
const fileFilter = (request, file, done) => {
    // Whatever the field, the name that has come by then counts.
    const name = request.body.filename || file.originalname
    const known = file.fieldname === 'sidecarData' ? /\.xmp$/i : /\.(jpe?g|mov)$/i
    done(known.test(name) ? null : new Error(`Unsupported file type ${name}`), true)
}
const form = multer({ storage, fileFilter }).fields([
    { name: 'assetData', maxCount: 1 },
    { name: 'sidecarData', maxCount: 1 },
])

const say = (response, status, body) =>
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(body === undefined ? '' : JSON.stringify(body))

const json = async (request) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    return JSON.parse(Buffer.concat(chunks))
}

const upload = (request, response) => {
    form(request, response, (error) => {
        if (error) return say(response, 400, { message: error.message })
        const [file] = request.files.assetData
        const known = assets.get(file.checksum)
        if (known) return say(response, 200, { id: known.id, status: 'duplicate' })
        const sidecar = request.files.sidecarData?.[0].size
        const asset = { id: `asset-${assets.size + 1}`, size: file.size, type: file.mimetype, sidecar, ...request.body }
        assets.set(file.checksum, asset)
        say(response, 201, { id: asset.id, status: 'created' })
    })
}

createServer(async (request, response) => {
    switch (`${request.method} ${request.url}`) {
        case 'GET /api/server/version':
            return say(response, 200, { major: 3, minor: 2, patch: 2 })
        case 'GET /api/api-keys/me':
            return say(response, 200, { permissions: ['all'] })
        case 'POST /api/assets/bulk-upload-check': {
            const results = (await json(request)).assets.map(({ id, checksum }) => {
                const asset = assets.get(checksum)
                if (!asset) return { id, action: 'accept' }
                return { id, action: 'reject', reason: 'duplicate', assetId: asset.id, isTrashed: false }
            })
            return say(response, 200, { results })
        }
        case 'POST /api/assets':
            return upload(request, response)
        case 'GET /assets':
            return say(response, 200, [...assets.values()])
        default:
            return say(response, 404, { message: 'Not Found' })
    }
}).listen(Number(process.argv[2]), '127.0.0.1')
