// Before the first paint, so that a dark screen never flashes white. The rest is in src/app/theme.ts.
try {
  var theme = localStorage.getItem('kanal.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // storage is blocked: the system's theme it is
}
