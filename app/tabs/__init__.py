"""The tabs of the page: components and events; what they show is made elsewhere."""
