// The script of Socket.IO's own example, with the transport shown. A file of its own, since the
// page's policy lets no script run that stands in the page.

// Beside the page, wherever that is: a proxy may put something before its address.
const socket = io({ path: new URL('socket.io', document.baseURI).pathname });

const messages = document.getElementById('messages');
const form = document.getElementById('form');
const input = document.getElementById('input');
const state = document.getElementById('state');

form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (input.value.trim()) {
    socket.emit('chat message', input.value);
    input.value = '';
  }
});

socket.on('chat message', (text) => {
  const item = document.createElement('li');
  item.textContent = text; // never innerHTML: a message is text, whatever it looks like
  messages.appendChild(item);
  window.scrollTo(0, document.body.scrollHeight);
});

// Polling first, then the upgrade; after a loss the client connects again by itself.
socket.on('connect', () => {
  const { engine } = socket.io;
  state.textContent = engine.transport.name;
  engine.once('upgrade', () => { state.textContent = engine.transport.name; });
});
socket.on('disconnect', (reason) => { state.textContent = reason; });
socket.on('connect_error', (error) => { state.textContent = error.message; });
