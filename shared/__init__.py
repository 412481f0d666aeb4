"""What every part of Kronk speaks."""
