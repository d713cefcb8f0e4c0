# Sourced, in the root of the checkout, by scripts that run a program of a module that is built.

# The JVM that Maven runs on, with the options that all these programs want.
java=$(./mvnw -v 2>/dev/null | sed -nE 's/.*runtime: (.*)$/\1/p' | head -1)/bin/java
jvm=("$java" --enable-native-access=ALL-UNNAMED
  --sun-misc-unsafe-memory-access=allow
  -Dorg.slf4j.simpleLogger.defaultLogLevel=warn "-Dvarve.root=$PWD")

classpath() { # classpath MODULE: its classes, and the jars that its build put beside them
  echo "$1/target/classes:$(find "$1/target/lib" -name '*.jar' 2>/dev/null | paste -sd:)"
}
