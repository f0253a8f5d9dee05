// Reads webhooks by Pusher's server library: JSON on standard input ({key, secret, requests}), what it made of them on standard output.
import Pusher from 'pusher'

let text = ''
for await (const piece of process.stdin) text += piece
const { key, secret, requests } = JSON.parse(text)
const pusher = new Pusher({ appId: '1', key, secret, cluster: 'mt1' })
const read = requests.map(({ headers, body }) => {
  const webhook = pusher.webhook({ headers, rawBody: body })
  return webhook.isValid() ? { time: webhook.getTime().getTime(), events: webhook.getEvents() } : null
})
process.stdout.write(JSON.stringify(read))
