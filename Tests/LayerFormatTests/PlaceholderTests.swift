import Testing

@testable import LayerFormat
