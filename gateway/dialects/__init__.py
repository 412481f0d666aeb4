"""Pure translations between client APIs and the neutral request and events."""
