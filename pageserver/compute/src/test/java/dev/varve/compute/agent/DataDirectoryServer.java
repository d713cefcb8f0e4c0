package dev.varve.compute.agent;

import com.github.luben.zstd.ZstdOutputStream;
import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import dev.varve.api.v1.DatabaseDirectory;
import dev.varve.api.v1.GetPagesRequest;
import dev.varve.api.v1.GetPagesResponse;
import dev.varve.api.v1.GetThinImageRequest;
import dev.varve.api.v1.GetThinImageResponse;
import dev.varve.api.v1.ListRelationsRequest;
import dev.varve.api.v1.ListRelationsResponse;
import dev.varve.api.v1.PageServiceGrpc;
import dev.varve.api.v1.RelationFork;
import dev.varve.api.v1.Setting;
import dev.varve.api.v1.SlruPages;
import dev.varve.api.v1.Tablespace;
import dev.varve.api.v1.ThinImageHeader;
import dev.varve.api.v1.ThinImageHeaderOrBuilder;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * The page service over the data directory of a PostgreSQL that was shut down: its relation files
 * are the pages, all else the image.
 */
public final class DataDirectoryServer extends PageServiceGrpc.PageServiceImplBase
    implements AutoCloseable {
  private static final Pattern RELATION = Pattern.compile("(\\d+)(_fsm|_vm|_init)?(\\.(\\d+))?");
  private static final int PAGE = 8192;
  private static final List<String> SLRUS =
      List.of("pg_xact", "pg_multixact/offsets", "pg_multixact/members", "pg_commit_ts");
  private static final int SLRU_SEGMENT_PAGES = 32;
  private static final int NEWEST_SLRU_SEGMENTS = 4;

  /** Offsets in {@code pg_control}, the same in 15 to 18. */
  private static final int WAL_SEGMENT_BYTES = 228;

  private static final int DATA_CHECKSUM_VERSION = 252;
  public static final long LSN = 0x1234568;

  private final Path data;
  private final int major;
  private final Server server;
  private final Map<Path, FileChannel> channels = new ConcurrentHashMap<>();
  public final AtomicLong pages = new AtomicLong();

  /** Those of SLRUs. */
  public final AtomicLong slruPages = new AtomicLong();

  /** Reads fail while it is set. */
  public volatile boolean failing;

  /** The only timeline that there is; null: every one. */
  public volatile @Nullable String timeline;

  /** What the image says of the original's settings. */
  public final Map<String, String> settings = new TreeMap<>();

  /** Images are kept waiting so long. */
  public volatile long imageDelayMillis;

  /** What callers must carry; null: nothing. */
  public volatile @Nullable String token;

  public DataDirectoryServer(Path data, int major) throws IOException {
    this.data = data;
    this.major = major;
    this.server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .directExecutor()
            .flowControlWindow(8 << 20)
            .addService(this)
            .intercept(new TokenCheck())
            .build()
            .start();
  }

  private final class TokenCheck implements ServerInterceptor {
    private static final Metadata.Key<String> AUTHORIZATION =
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
      String shown = headers.get(AUTHORIZATION);
      // Of a stream of pages each request is checked, as a pageserver does.
      if (!accepts(shown) && !call.getMethodDescriptor().getBareMethodName().equals("GetPages")) {
        call.close(Status.UNAUTHENTICATED.withDescription("no such token"), new Metadata());
        return new ServerCall.Listener<>() {};
      }
      return Contexts.interceptCall(Context.current().withValue(SHOWN, shown), call, headers, next);
    }
  }

  private static final Context.Key<String> SHOWN = Context.key("shown");

  private boolean accepts(@Nullable String shown) {
    String wanted = token;
    return wanted == null || ("Bearer " + wanted).equals(shown);
  }

  public String address() {
    return "127.0.0.1:" + server.getPort();
  }

  private static String suffix(int fork) {
    return new String[] {"", "_fsm", "_vm", "_init"}[fork];
  }

  private Path directory(int tablespace, int database) {
    if (tablespace == 1663) {
      return data.resolve("base").resolve("" + database);
    }
    return data.resolve("pg_tblspc/" + tablespace)
        .resolve(versionDirectory(tablespace))
        .resolve("" + database);
  }

  private String versionDirectory(int tablespace) {
    try (Stream<Path> entries = Files.list(data.resolve("pg_tblspc/" + tablespace))) {
      return entries.findFirst().orElseThrow().getFileName().toString();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private FileChannel channel(Path path) {
    return channels.computeIfAbsent(
        path,
        p -> {
          try {
            return FileChannel.open(p);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  private ByteString readSlru(GetPagesRequest request) throws IOException {
    long first = Integer.toUnsignedLong(request.getFirstBlock());
    Path file =
        data.resolve(SLRUS.get(request.getRelation().getRelationNumber() - 1))
            .resolve("%04X".formatted(first / SLRU_SEGMENT_PAGES));
    ByteBuffer into = ByteBuffer.allocate(request.getBlockCount() * PAGE);
    while (into.hasRemaining()) {
      if (channel(file).read(into, first % SLRU_SEGMENT_PAGES * PAGE + into.position()) < 0) {
        throw new IOException("no pages from " + first + " on in " + file);
      }
    }
    slruPages.addAndGet(request.getBlockCount());
    return UnsafeByteOperations.unsafeWrap(into.array());
  }

  /** The segments that an image leaves out of an SLRU: all but the newest, one run. */
  private List<Integer> oldSegments(int slru) throws IOException {
    try (Stream<Path> files = Files.list(data.resolve(SLRUS.get(slru)))) {
      List<Integer> all =
          files.map(file -> Integer.valueOf(file.getFileName().toString(), 16)).sorted().toList();
      return all.subList(0, Math.max(0, all.size() - NEWEST_SLRU_SEGMENTS));
    }
  }

  private ByteString read(GetPagesRequest request) throws IOException {
    RelationFork fork = request.getRelation();
    if (fork.getTablespaceOid() == 0) {
      return readSlru(request);
    }
    ByteBuffer into = ByteBuffer.allocate(request.getBlockCount() * PAGE);
    for (int i = 0; i < request.getBlockCount(); i++) {
      int block = request.getFirstBlock() + i;
      int segment = block / 131072;
      Path file =
          directory(fork.getTablespaceOid(), fork.getDatabaseOid())
              .resolve(
                  fork.getRelationNumber()
                      + suffix(fork.getFork())
                      + (segment == 0 ? "" : "." + segment));
      int end = into.position() + PAGE;
      into.limit(end);
      while (into.hasRemaining()) {
        if (channel(file).read(into, (long) (block % 131072) * PAGE + PAGE - into.remaining())
            < 0) {
          throw new IOException("no block " + block + " in " + file);
        }
      }
    }
    pages.addAndGet(request.getBlockCount());
    return UnsafeByteOperations.unsafeWrap(into.array());
  }

  @Override
  public StreamObserver<GetPagesRequest> getPages(StreamObserver<GetPagesResponse> answers) {
    String shown = SHOWN.get();
    return new StreamObserver<>() {
      @Override
      public void onNext(GetPagesRequest request) {
        GetPagesResponse.Builder answer =
            GetPagesResponse.newBuilder().setRequestId(request.getRequestId());
        if (!accepts(shown)) {
          answers.onNext(answer.setStatusCode(16).setStatusMessage("no such token").build());
          return;
        }
        try {
          if (failing) {
            throw new IOException("told to fail");
          }
          answer.setPages(read(request));
        } catch (IOException | RuntimeException e) {
          answer.setStatusCode(15).setStatusMessage(e.toString());
        }
        answers.onNext(answer.build());
      }

      @Override
      public void onError(Throwable failure) {}

      @Override
      public void onCompleted() {
        answers.onCompleted();
      }
    };
  }

  @Override
  public void listRelations(
      ListRelationsRequest request, StreamObserver<ListRelationsResponse> out) {
    Map<String, int[]> found = new TreeMap<>();
    try (Stream<Path> files =
        Files.list(directory(request.getTablespaceOid(), request.getDatabaseOid()))) {
      for (Path file : files.toList()) {
        Matcher name = RELATION.matcher(file.getFileName().toString());
        if (name.matches()) {
          int relation = Integer.parseUnsignedInt(name.group(1));
          int fork =
              name.group(2) == null
                  ? 0
                  : switch (name.group(2)) {
                    case "_fsm" -> 1;
                    case "_vm" -> 2;
                    default -> 3;
                  };
          if (request.getRelationNumber() == 0 || request.getRelationNumber() == relation) {
            found.computeIfAbsent(relation + "/" + fork, key -> new int[] {relation, fork, 0})[2] +=
                (int) (Files.size(file) / PAGE);
          }
        }
      }
    } catch (IOException e) {
      out.onError(e);
      return;
    }
    ListRelationsResponse.Builder answer = ListRelationsResponse.newBuilder();
    ByteArrayOutputStream forks = new ByteArrayOutputStream();
    int before = 0;
    for (int[] one : found.values()) {
      answer.addRelationNumberDeltas(one[0] - before).addBlocks(one[2]);
      forks.write(one[1] | one[1] << 4);
      before = one[0];
    }
    out.onNext(answer.setForks(ByteString.copyFrom(forks.toByteArray())).build());
    out.onCompleted();
  }

  @Override
  public void getThinImage(GetThinImageRequest request, StreamObserver<GetThinImageResponse> out) {
    if (imageDelayMillis > 0) {
      try {
        Thread.sleep(imageDelayMillis);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    String wanted = timeline;
    if (wanted != null && !wanted.equals(request.getTimeline())) {
      out.onError(
          Status.NOT_FOUND
              .withDescription("no timeline " + request.getTimeline())
              .asRuntimeException());
      return;
    }
    try {
      ThinImageHeader.Builder header =
          ThinImageHeader.newBuilder()
              .setLsn(LSN)
              .setPostgresMajor(major)
              .setDataChecksums(controlInt(DATA_CHECKSUM_VERSION) != 0)
              .setWalSegmentBytes(controlInt(WAL_SEGMENT_BYTES));
      settings.forEach(
          (name, value) -> header.addSettings(Setting.newBuilder().setName(name).setValue(value)));
      for (int slru = 0; request.getSlruPages() && slru < SLRUS.size(); slru++) {
        List<Integer> old = oldSegments(slru);
        if (!old.isEmpty()) {
          header.addSlruPages(
              SlruPages.newBuilder()
                  .setSlru(slru + 1)
                  .setFirstPage(old.getFirst() * SLRU_SEGMENT_PAGES)
                  .setPageCount(old.size() * SLRU_SEGMENT_PAGES));
        }
      }
      addDirectories(header, 1663, data.resolve("base"));
      try (Stream<Path> spaces = Files.list(data.resolve("pg_tblspc"))) {
        for (Path space : spaces.toList()) {
          int oid = Integer.parseUnsignedInt(space.getFileName().toString());
          header.addTablespaces(
              Tablespace.newBuilder()
                  .setOid(oid)
                  .setLocation(
                      Files.isSymbolicLink(space) ? Files.readSymbolicLink(space).toString() : "")
                  .setVersionDirectory(versionDirectory(oid)));
          addDirectories(header, oid, space.resolve(versionDirectory(oid)));
        }
      }
      out.onNext(GetThinImageResponse.newBuilder().setHeader(header).build());
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (TarArchiveOutputStream tar =
          new TarArchiveOutputStream(new ZstdOutputStream(bytes, 1))) {
        addTree(tar, data, "", header);
      }
      byte[] all = bytes.toByteArray();
      for (int at = 0; at < all.length; at += 65536) {
        out.onNext(
            GetThinImageResponse.newBuilder()
                .setChunk(ByteString.copyFrom(all, at, Math.min(65536, all.length - at)))
                .build());
      }
      out.onCompleted();
    } catch (IOException e) {
      out.onError(e);
    }
  }

  private int controlInt(int offset) throws IOException {
    return ByteBuffer.wrap(Files.readAllBytes(data.resolve("global/pg_control")))
        .order(ByteOrder.LITTLE_ENDIAN)
        .getInt(offset);
  }

  private static void addDirectories(ThinImageHeader.Builder header, int tablespace, Path directory)
      throws IOException {
    try (Stream<Path> databases = Files.list(directory)) {
      for (Path database :
          databases.filter(p -> p.getFileName().toString().matches("\\d+")).toList()) {
        header.addDirectories(
            DatabaseDirectory.newBuilder()
                .setTablespaceOid(tablespace)
                .setDatabaseOid(Integer.parseUnsignedInt(database.getFileName().toString())));
      }
    }
  }

  private void addTree(
      TarArchiveOutputStream tar, Path directory, String prefix, ThinImageHeaderOrBuilder header)
      throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      for (Path entry : entries.sorted().toList()) {
        String name = entry.getFileName().toString();
        String path = prefix + name;
        if (Files.isDirectory(entry)) {
          tar.putArchiveEntry(new TarArchiveEntry(path + "/"));
          tar.closeArchiveEntry();
          addTree(tar, entry, path + "/", header);
        } else if (!isLeftOut(path, header)
            && !((prefix.startsWith("base/") || prefix.startsWith("pg_tblspc/"))
                && RELATION.matcher(name).matches())
            && !name.endsWith(".conf")
            && !name.startsWith("postmaster")
            && !name.equals("pg_internal.init")) {
          byte[] bytes = Files.readAllBytes(entry);
          TarArchiveEntry file = new TarArchiveEntry(path);
          file.setSize(bytes.length);
          tar.putArchiveEntry(file);
          tar.write(bytes);
          tar.closeArchiveEntry();
        }
      }
    }
  }

  private static boolean isLeftOut(String path, ThinImageHeaderOrBuilder header) {
    for (SlruPages run : header.getSlruPagesList()) {
      String directory = SLRUS.get(run.getSlru() - 1) + "/";
      if (path.startsWith(directory)) {
        int segment = Integer.parseInt(path.substring(directory.length()), 16);
        int first = run.getFirstPage() / SLRU_SEGMENT_PAGES;
        return segment >= first && segment < first + run.getPageCount() / SLRU_SEGMENT_PAGES;
      }
    }
    return false;
  }

  @Override
  public void close() {
    server.shutdownNow();
  }
}
