# Doubly robust scores, calibration test, sorted groups and targeting curve of one split, written out in R.
#
#   Rscript heterogeneity.R [folder]
#
# reads data_heterogeneity.csv and data_heterogeneity_multipliers.csv beside it (made by heterogeneity_data.py) and writes
# heterogeneity.csv, with 17 digits, and heterogeneity_versions.csv. Needs sandwich. Regressions are lm's, errors vcovHC's;
# the curve follows Yadlowsky and others (J Am Stat Assoc 2025), person by person.

suppressPackageStartupMessages(library(sandwich))

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
source_folder <- if (file.exists(file.path(folder, "data_heterogeneity.csv"))) folder else {
  script <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))
  dirname(script)
}
digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))
rows <- read.csv(file.path(source_folder, "data_heterogeneity.csv"))
multipliers <- as.matrix(read.csv(file.path(source_folder, "data_heterogeneity_multipliers.csv"), header = FALSE))

answers <- list()
add <- function(what, key, estimate, std_error = NA) {
  answers[[length(answers) + 1]] <<- data.frame(what = what, key = as.character(key), estimate = estimate, std_error = std_error)
}

rows$score <- with(rows, other - reference + treated * (outcome - other) / propensity -
  (1 - treated) * (outcome - reference) / (1 - propensity))
add("score", seq_len(nrow(rows)), rows$score)

# the best linear predictor among people who are judged
judged <- rows[!is.na(rows$prediction), ]
judged$centred <- judged$prediction - ave(judged$prediction, judged$fold)
fit <- lm(score ~ centred, judged)
add("calibration", c("mean", "slope"), coef(fit), sqrt(diag(vcovHC(fit, type = "HC3"))))

# sorted groups: by rank within the fold, ties by lot; folds averaged by size
groups <- 4
judged$group <- NA
for (k in unique(judged$fold)) {
  own <- which(judged$fold == k)
  sorted <- own[order(judged$prediction[own], judged$lot[own])]
  judged$group[sorted] <- floor((seq_along(sorted) - 1) * groups / length(sorted))
}
folds <- sort(unique(judged$fold))
share <- sapply(folds, function(k) mean(judged$fold == k))
fits <- lapply(folds, function(k) lm(score ~ 0 + factor(group), judged[judged$fold == k, ]))
contrasts <- rbind(diag(groups), c(-1, rep(0, groups - 2), 1))
means <- sapply(fits, function(f) contrasts %*% coef(f))
variances <- sapply(fits, function(f) diag(contrasts %*% vcovHC(f, type = "HC2") %*% t(contrasts)))
add("group", c(0:(groups - 1), "difference"), drop(means %*% share), sqrt(drop(variances %*% share^2)))

# targeting: the mean score of the first people, people of one prediction counting as their mean
shares <- c(0.1, 0.25, 0.5, 0.75, 1)
told <- function(score, prediction, w) {
  tied <- ave(w * score, prediction, FUN = sum) / ave(w, prediction, FUN = sum)
  o <- order(-prediction, seq_along(prediction))
  w <- w[o]
  reached <- cumsum(w) / sum(w)
  gained <- cumsum(w * tied[o]) / sum(w)
  all <- gained[length(gained)]
  above <- gained / reached - all
  gain <- approx(c(0, reached), c(0, gained), xout = shares, rule = 2)$y
  c(gain / shares - all, gain, sum(w * above) / sum(w), sum(w * reached * above) / sum(w))
}
estimate <- 0
drawn <- 0
for (i in seq_along(folds)) {
  own <- which(!is.na(rows$prediction) & rows$fold == folds[i])
  d <- rows[own, ]
  n <- nrow(d)
  here <- told(d$score, d$prediction, rep(1, n))
  again <- t(apply(multipliers[, own], 1, function(w) told(d$score, d$prediction, w)))
  estimate <- estimate + share[i] * here
  drawn <- drawn + share[i] * sqrt(n / (n - 1)) * sweep(again, 2, here)
}
spread <- sqrt(colMeans(sweep(drawn, 2, colMeans(drawn))^2))
band <- function(columns) {
  moves <- columns[spread[columns] > 1e-12]
  max(qnorm(0.975), quantile(apply(abs(sweep(drawn[, moves], 2, spread[moves], "/")), 1, max), 0.95))
}
k <- length(shares)
add("targeting", shares, estimate[1:k], ifelse(spread[1:k] > 1e-12, spread[1:k], 0))
add("gain", shares, estimate[k + 1:k], spread[k + 1:k])
add("area", c("autoc", "qini"), estimate[2 * k + 1:2], spread[2 * k + 1:2])
add("reach", c("targeting", "gain"), c(band(1:k), band(k + 1:k)))

out <- do.call(rbind, answers)
out$estimate <- digits(out$estimate)
out$std_error <- digits(out$std_error)
write.csv(out, file.path(folder, "heterogeneity.csv"), row.names = FALSE, quote = FALSE)
write.csv(data.frame(name = c("R", "sandwich"), version = c(as.character(getRversion()), as.character(packageVersion("sandwich")))),
  file.path(folder, "heterogeneity_versions.csv"), row.names = FALSE, quote = FALSE)
