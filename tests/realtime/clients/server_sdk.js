// Pusher's own server library, driven by a test: a list of calls comes in as JSON, what each came to goes out as JSON.
import Pusher from 'pusher'
import { text } from 'node:stream/consumers'

const { options, calls } = JSON.parse(await text(process.stdin))
const pusher = new Pusher(options)
const results = []

for (const [name, ...parameters] of calls) {
  try {
    const result = await pusher[name](...parameters)
    // HTTP calls answer a response; what signs and validates answers at once.
    results.push(result?.json ? { status: result.status, body: await result.json() } : { body: plain(result) })
  } catch (error) {
    results.push({ status: error.status ?? null, error: String(error.message), body: error.body ?? null })
  }
}

function plain(result) {
  return typeof result?.isValid === 'function' ? { valid: result.isValid(), events: result.data?.events ?? null } : result
}

process.stdout.write(JSON.stringify(results))
