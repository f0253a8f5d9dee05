// Lets the app open without a network: the page itself and the files it was built from. Data is none of its
// business; requests to the server pass by untouched.
const CACHE = 'kanal-shell-1'
const KEPT = 150 // files; about three versions of the app

self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

// The page says what the app is made of, once it has settled.
self.addEventListener('message', (event) => event.waitUntil(keep(event.data.files)))

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { pathname, origin } = new URL(request.url)
  if (request.method !== 'GET' || origin !== self.location.origin) return
  if (request.mode === 'navigate' && !/^\/(api|app|apps|broadcasting|console|health|metrics)\b/.test(pathname)) event.respondWith(page(request))
  else if (/^\/(assets\/|theme\.js$|icon\.svg$)/.test(pathname)) event.respondWith(file(request))
})

/** The newest page when there is an answer, the last one when there is none. */
async function page(request) {
  const cache = await caches.open(CACHE)
  try {
    const response = await fetch(request)
    if (response.ok && response.headers.get('content-type')?.startsWith('text/html')) await cache.put('/', response.clone())
    return response
  } catch (error) {
    const last = await cache.match('/')
    if (last) return last
    throw error
  }
}

/** Built files never change under the same name. */
async function file(request) {
  const cache = await caches.open(CACHE)
  const known = await cache.match(request)
  if (known) return known
  const response = await fetch(request)
  if (response.ok) {
    await cache.put(request, response.clone())
    await prune(cache)
  }
  return response
}

async function keep(files) {
  const cache = await caches.open(CACHE)
  const known = await Promise.all(files.map((name) => cache.match(name)))
  await Promise.allSettled(files.filter((_, index) => !known[index]).map((name) => cache.add(name)))
}

async function prune(cache) {
  const keys = await cache.keys() // oldest first
  const files = keys.filter((request) => new URL(request.url).pathname.startsWith('/assets/'))
  await Promise.all(files.slice(0, Math.max(0, files.length - KEPT)).map((request) => cache.delete(request)))
}
