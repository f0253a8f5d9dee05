// Real clients, driven by a test: commands come in as JSON lines, what the libraries tell goes out as JSON lines.
import { createInterface } from 'node:readline'
import EchoModule from 'laravel-echo'
import PusherModule from 'pusher-js'
import nacl from 'tweetnacl'

const Pusher = PusherModule.default ?? PusherModule.Pusher ?? PusherModule
const Echo = EchoModule.default ?? EchoModule

const [key, port] = process.argv.slice(2)
const clients = new Map()
const tell = (client, what, details = {}) => process.stdout.write(JSON.stringify({ client, what, ...details }) + '\n')

function settings(user, more = {}) {
  const base = `http://127.0.0.1:${more.port ?? port}/broadcasting`
  const auth = `${base}/auth?user=${user}`
  return {
    wsHost: '127.0.0.1',
    wsPort: Number(more.port ?? port),
    cluster: '',
    forceTLS: false,
    enabledTransports: ['ws'],
    disableStats: true,
    authEndpoint: auth,
    channelAuthorization: { endpoint: auth, transport: 'ajax' },
    userAuthentication: { endpoint: `${base}/user-auth?user=${user}&watchlist=${more.watchlist ?? ''}`, transport: 'ajax' },
  }
}

function watch(name, pusher) {
  pusher.connection.bind('connected', () => tell(name, 'connected', { socket_id: pusher.connection.socket_id }))
  pusher.connection.bind('state_change', ({ current }) => tell(name, 'state', { state: current }))
  pusher.connection.bind('error', ({ data, error }) => tell(name, 'error', { error: data ?? error?.data ?? null }))
  pusher.bind_global((event, data) => tell(name, 'global', { event, data: data ?? null }))
}

const commands = {
  pusher({ name, user, ...more }) {
    const pusher = new Pusher(more.key ?? key, { ...settings(user, more), nacl })
    clients.set(name, { pusher })
    watch(name, pusher)
  },
  subscribe({ name, channel }) {
    const subscription = clients.get(name).pusher.subscribe(channel)
    subscription.bind_global((event, data) => tell(name, 'event', { channel, event, data: plain(data) }))
  },
  unsubscribe: ({ name, channel }) => clients.get(name).pusher.unsubscribe(channel),
  trigger({ name, channel, event, data }) {
    tell(name, 'triggered', { ok: clients.get(name).pusher.channel(channel).trigger(event, data) })
  },
  members({ name, channel }) {
    const { members } = clients.get(name).pusher.channel(channel)
    tell(name, 'members', { count: members.count, me: members.me, members: members.members })
  },
  signin({ name, events = [] }) {
    const { user, connection } = clients.get(name).pusher
    connection.bind('message', ({ event, channel }) => {
      if (event === 'pusher_internal:subscription_succeeded' && channel?.startsWith('#')) tell(name, 'listening', { channel })
    })
    for (const event of events) user.bind(event, (data) => tell(name, 'user event', { event, data }))
    for (const event of ['online', 'offline']) user.watchlist.bind(event, ({ user_ids }) => tell(name, event, { users: user_ids }))
    clients.get(name).pusher.signin()
    user.signinDonePromise.then(() => tell(name, 'signed in', { user: user.user_data }))
  },
  count({ name, channel }) {
    tell(name, 'count', { count: clients.get(name).pusher.channel(channel).subscriptionCount })
  },
  disconnect: ({ name }) => (clients.get(name).pusher ?? clients.get(name).echo).disconnect(),

  echo({ name, user, broadcaster, ...more }) {
    const options = { broadcaster, key, Pusher, ...settings(user, more), nacl }
    const echo = new Echo(options)
    clients.set(name, { echo })
    watch(name, echo.connector.pusher)
  },
  channel: ({ name, channel, kind, listen = [], whisper = [] }) => {
    const open = clients.get(name).echo[kind](channel)
    const heard = (what) => (data) => tell(name, what, { channel, data: plain(data) })
    open.subscribed?.(() => tell(name, 'subscribed', { channel }))
    open.error?.((error) => tell(name, 'refused', { channel, error }))
    if (kind === 'join') open.here(heard('here')).joining(heard('joining')).leaving(heard('leaving'))
    for (const event of listen) open.listen(event, heard(event))
    for (const event of whisper) open.listenForWhisper(event, heard(`whisper ${event}`))
    clients.get(name)[channel] = open
  },
  whisper: ({ name, channel, event, data }) => clients.get(name)[channel].whisper(event, data),
  leave: ({ name, channel }) => clients.get(name).echo.leave(channel),

  encrypt({ secret, text }) {
    const nonce = nacl.randomBytes(24)
    const box = nacl.secretbox(Buffer.from(text), nonce, Buffer.from(secret, 'base64'))
    const base64 = (bytes) => Buffer.from(bytes).toString('base64')
    tell(null, 'encrypted', { nonce: base64(nonce), ciphertext: base64(box) })
  },
}

// Members hold a Map-like class of pusher-js; what matters of it is plain.
const plain = (data) => (data && data.members && data.me !== undefined ? { members: data.members, count: data.count } : (data ?? null))

createInterface({ input: process.stdin }).on('line', (line) => {
  const { do: what, ...rest } = JSON.parse(line)
  commands[what](rest)
})
process.stdin.on('end', () => process.exit(0))
tell(null, 'ready')
