"""Code that all tabs share: requests, HTTP functions, pieces of the page, exports."""
