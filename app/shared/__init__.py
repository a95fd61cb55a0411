"""What every tab shares: requests, HTTP names, pieces of the page, exports."""
