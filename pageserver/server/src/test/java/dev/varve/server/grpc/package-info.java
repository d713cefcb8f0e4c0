/** Tests of the gRPC edge on a server of its own, without the application around it. */
@NullMarked
package dev.varve.server.grpc;

import org.jspecify.annotations.NullMarked;
