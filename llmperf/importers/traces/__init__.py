"""Request traces of services, benchmarks and chats: read, bounded, into statistics of traffic."""
