// swift-tools-version: 6.2
import PackageDescription

/// What every target of ours is built with: nothing unsafe unmarked, nothing warned about.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

/// The same, and optimised in debug builds too: the tests then take half the processor time.
let optimised: [SwiftSetting] = settings + [.unsafeFlags(["-O"], .when(configuration: .debug))]

/// Everything below the program itself, from the ground up.
let floors: [Target.Dependency] = [
  "PostgresFormat", "LayerFormat", "System", "Pipeline", "HTTP", "ObjectStore", "Backup",
  "Service", "Timeline", "Operations",
]

/// The commit that `--version` names. `make` sets the variable; a plain `swift build` does not know it.
///
/// Only the C file of `CBuild` is compiled with it, so that a new commit does not rebuild the rest.
let commit = Context.environment["IMPORT_BACKUP_COMMIT"] ?? "unknown"

let package = Package(
  name: "import-backup",
  targets: [
    .systemLibrary(
      name: "CLibArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CLzma", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
    .systemLibrary(name: "CLz4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
    .systemLibrary(name: "CXML", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
    .systemLibrary(name: "CGetopt"),
    .systemLibrary(name: "CMalloc"),
    .systemLibrary(name: "CGlibc"),
    .systemLibrary(name: "CIsal", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
    // Loads libcurl by itself, and needs its header only.
    .target(name: "CCurl"),
    .target(
      name: "CBuild", cSettings: [.define("IMPORT_BACKUP_COMMIT", to: "\"\(commit)\"")]),
    .target(
      name: "PostgresFormat", dependencies: ["CIsal", "CNettle"],
      // For the one property that lends an array's bytes as a span.
      swiftSettings: optimised + [.enableExperimentalFeature("Lifetimes")]),
    .target(name: "LayerFormat", dependencies: ["PostgresFormat"], swiftSettings: optimised),
    .target(name: "System", dependencies: ["CGlibc", "PostgresFormat"], swiftSettings: optimised),
    .target(name: "Pipeline", dependencies: ["System"], swiftSettings: optimised),
    .target(
      name: "HTTP", dependencies: ["CCurl", "PostgresFormat", "System"], swiftSettings: optimised),
    .target(
      name: "ObjectStore",
      dependencies: [
        "CXML", "HTTP", "LayerFormat", "PostgresFormat", "System",
      ],
      swiftSettings: optimised),
    .target(
      name: "Service", dependencies: ["HTTP", "LayerFormat", "PostgresFormat", "System"],
      swiftSettings: optimised),
    .target(
      name: "Backup",
      dependencies: [
        "CIsal", "CLibArchive", "CZstd", "CLzma", "CLz4", "LayerFormat", "Pipeline",
        "PostgresFormat", "System",
      ],
      swiftSettings: optimised),
    .target(
      name: "Timeline",
      dependencies: ["CZstd", "LayerFormat", "ObjectStore", "PostgresFormat", "System"],
      // For a decoded value, which the blob or the decoder lends.
      swiftSettings: optimised + [.enableExperimentalFeature("Lifetimes")]),
    .target(
      name: "Operations",
      dependencies: [
        "Backup", "HTTP", "LayerFormat", "ObjectStore", "Pipeline", "PostgresFormat", "Service",
        "System", "Timeline",
      ],
      swiftSettings: optimised),
    .executableTarget(
      name: "import-backup",
      dependencies: floors + [
        "CBuild", "CGetopt", "CMalloc",
        // For their versions.
        "CLibArchive", "CZstd", "CLzma", "CLz4", "CNettle", "CIsal", "CXML",
      ],
      swiftSettings: optimised),
    .target(
      name: "TestSupport", dependencies: ["Backup", "LayerFormat", "PostgresFormat", "System"],
      path: "Tests/TestSupport",
      swiftSettings: optimised),
    .target(
      name: "FuzzTargets", dependencies: floors,
      path: "Fuzz/Targets", swiftSettings: optimised),
    .testTarget(
      name: "PostgresFormatTests", dependencies: ["PostgresFormat", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "LayerFormatTests", dependencies: ["LayerFormat", "PostgresFormat", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "PipelineTests", dependencies: ["Pipeline", "System", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "SystemTests", dependencies: ["System", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "ObjectStoreTests",
      dependencies: ["HTTP", "ObjectStore", "PostgresFormat", "System", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "ServiceTests",
      dependencies: ["HTTP", "LayerFormat", "PostgresFormat", "Service", "System", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "BackupTests", dependencies: floors + ["TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "TimelineTests", dependencies: floors + ["TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "OperationsTests", dependencies: floors + ["TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "CommandLineTests", dependencies: floors + ["import-backup", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "ReliabilityTests",
      dependencies: floors + ["import-backup", "TestSupport"],
      exclude: ["Faults"], swiftSettings: settings),
    .testTarget(
      name: "FuzzTests",
      dependencies: floors + ["FuzzTargets", "TestSupport"],
      swiftSettings: settings),
  ]
)
