// Rooms of socket.io: join one, publish to it.
import { createServer } from 'node:http'
import { Server } from 'socket.io'

const http = createServer()
const server = new Server(http, { transports: ['websocket'], serveClient: false })

server.on('connection', (socket) => {
  socket.on('subscribe', (room) => {
    socket.join(room)
    socket.emit('subscription_succeeded', room)
  })
  socket.on('publish', (room, data) => socket.to(room).emit('m', data))
})

http.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 })
